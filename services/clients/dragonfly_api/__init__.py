"""Client of the operated system's API, with one reader per system."""
