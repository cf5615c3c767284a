"""Words to calls: the command line. Only this room prints and reads `sys.argv`."""
