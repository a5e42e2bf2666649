"""The phones and mailboxes of the demo's people, reached over the protocols of a pager service and a mail server."""
