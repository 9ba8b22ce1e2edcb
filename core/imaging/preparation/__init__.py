"""From raw scans of a head to template space: bias field, registration, brain mask, uptake by a reference region."""
