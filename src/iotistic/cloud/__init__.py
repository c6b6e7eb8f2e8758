"""The fleet server: devices register here, fetch their target state and report their current one.

The invariant of this room: nothing that matters lives in the process. Sessions, challenges,
failed attempts and keys are rows, and every change that two processes could make at once is one
compare-and-set statement or one transaction. So a restart loses nothing and a second process on
the same database is just another one.

    settings      what can be set, checked in one go
    server_key    the one secret file, and the keys made of it
    db            tables, transactions, migrations
    errors        what a caller gets to read when something is refused
    access        who may call a route; what is not listed is denied
    auth          people: users, passwords, sessions, the first login
    provisioning  keys for devices to join with, the two phases of `v2`, the older dialect `o1`
    devices       who is in the fleet, how a device proves that it is itself, its reports
    targets       what a device should run: versions, history, deploys
    audit         who did what, from where
    idempotency   the same request again, the same answer
    housekeeping  what has to be done now and then
    app           the only place that wires them together
    serving       sockets, TLS, signals
    address_file  where a running cloud listens, for programs beside it

Nothing is exported: the room is used as the program `iotistic-cloud` and over HTTP.
"""
