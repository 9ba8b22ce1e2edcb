"""The command line's commands, one module each: `add` describes its arguments, `run` does the job."""
