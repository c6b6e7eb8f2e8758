"""Secrets of apps as files in memory, for the containers that they are bound into.

    RUNTIME_DIR/UUID/secrets/APP/SERVICE/NAME

The invariant: a secret's value reaches no disk but sealed, and nobody on the host but root and the
agent's user. The folders are for their owner only; a container gets single files bound into it,
read-only, with the owner and mode that the target asks for.

A file is replaced as a whole, and only if it is not as it should be: what runs keeps what it has
open, and a killed agent leaves the old file or the new one. Nothing of it outlives a boot; the
agent writes it again before it starts a service that needs it.
"""

from iotistic.agent.secrets.secret_files import (
    SecretFile,
    SecretFiles,
    SecretOwner,
    SecretsNotInMemory,
)

__all__ = ["SecretFile", "SecretFiles", "SecretOwner", "SecretsNotInMemory"]
