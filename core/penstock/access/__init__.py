"""The callers of a server: users with passwords, bearer tokens, and the roles they grant.

What a request needs, and what its sender is shown, is the business of whoever owns the things.
"""
