"""The command line. Each group is a module of its own, imported when it is called."""
