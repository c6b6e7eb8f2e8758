"""People: users with a role, passwords, sessions, the first login.

The invariant: who has not logged in gets nothing, and cannot find out by trying. A failed
attempt is a row before it is judged, so a thousand at once count as a thousand. Passwords are
argon2id; a session is a random token of which only a hash is kept, and can be ended at any time.
"""
