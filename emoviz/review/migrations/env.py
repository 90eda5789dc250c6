"""Run by Alembic: brings the schema forward on the connection that the store gives."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
