"""The command line: `iotctl`, of a device and (`iotctl fleet …`) of a fleet.

It talks to the Device API (docs/reference/device-api.md) and to the cloud's API over HTTP, and
knows nothing of the inside of either. One command: ask, show, return an exit code.

    app          the tree of commands; nothing is imported before it is called
    lazy         groups that import late, and global options that may stand anywhere
    session      what one call knows: options, Device API, cloud, output
    http_client  one request with a deadline and limits; what can go wrong becomes a `Failure`
    state_folder where the agent's socket and token are
    fleet_file   the operator's login, 0600
    output       data on stdout, messages on stderr; `table` lines it up
    failure      what went wrong, what to do next, and the exit code
    commands/    one module a noun

The invariant: stdout carries data and nothing else, and nothing secret is ever printed or put
into a URL or an argument.
"""
