"""Where Alembic runs the ledger's migrations: on the connection, and in the transaction, of ``schema.upgrade``."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
