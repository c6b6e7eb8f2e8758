"""Run by alembic: the connection and its transaction are those of `migrate`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
