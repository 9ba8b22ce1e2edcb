"""Review: how a model did on labelled cases, and each case with truth and prediction."""
