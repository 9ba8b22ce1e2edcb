"""Model packages and the predictor that brings a segmentation back on the scan's own grid."""
