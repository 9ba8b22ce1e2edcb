"""A scan in three linked slice views and a 3D view; `Scene` is what they show, `SliceGrid` the widget."""
