"""Drop to prediction to review: the panel beside the scan, the page of past predictions, and the child process."""
