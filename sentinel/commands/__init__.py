"""What each command does, one file a command; ``sentinel.cli`` only declares them.

Data goes to standard output, talk to standard error. Functions return an exit code: 0 fine, 1 a negative answer; wrong use or a wrong
configuration is a ``ConfigError`` (2 at the command line's edge).
"""
