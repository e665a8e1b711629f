"""The public functions: models, indexed photographs, and the jobs that make and measure both.

The command line is written on them: what one does by default, a command does by default.
"""
