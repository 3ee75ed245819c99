"""The commands of the terminal: a module for each, which adds its parser and executes it."""
