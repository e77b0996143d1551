"""Who may sign in, as what, and how: users, members, sessions, second factors, invitations."""
