"""A real Postgres on this machine, set up like Supabase's, from the binaries of a wheel."""
