"""A real Postgres on this machine, shaped like Supabase's, from the binaries of a wheel."""
