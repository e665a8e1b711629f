"""The command line: one thin function a command; nothing heavy is imported before a command needs it."""
