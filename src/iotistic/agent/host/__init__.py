"""The host below the agent: files, locks, the init system, child processes.

    files              durable_write and its kin: a file is either old or new, never half
    runtime_dir        folders in memory, for their owner only
    file_lock          class FileLock: one holder, who is named to the next one
    daemon_thread      in_daemon_thread: long work that the agent's end does not wait for
    crypto_child       in_child: cryptography in a process of its own
    crypto_operations  what that process can do
    service_manager    sd_notify
    machine            which machine this is

Import the module you need: this package pulls in nothing, so that the short-lived child starts
fast and the agent never loads `cryptography` (10 MB it would keep for ever).
"""
