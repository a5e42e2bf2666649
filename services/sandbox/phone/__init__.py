"""The phones and mailboxes of the demo's people, reached at the wire as a pager service and a mail server are."""
