"""One case typed in: the values that a model takes (`fields`), and the form that they are written in (`form`)."""
