"""Client of the API of the operated system, with a reader for each system."""
