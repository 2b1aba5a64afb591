"""One module for each topic; importing a module declares its behaviours."""
