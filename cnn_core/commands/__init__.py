"""The commands of the terminal: a module for each, which adds its parser and executes it.

Nothing is imported here, so that the exit statuses are known before anything heavy is.
"""

FAILED = 1
USER_ERROR = 2
INTERRUPTED = 130
CLOSED_PIPE = 141
"""What a shell gives for a program that SIGPIPE ended, as it does `cat` in the same place: 128 + 13."""
