"""On-call: the schedule, what changes it, its calendars, and what people on call receive before and after a shift."""
