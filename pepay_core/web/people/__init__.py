"""The pages on which people sign in and look after their account and their team. They need no script."""
