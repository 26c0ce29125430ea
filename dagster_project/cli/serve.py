"""Command that serves a home's pages on this machine."""

from __future__ import annotations

import click

from dagster_project.home import Home


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 takes a free one.")
@click.pass_obj
def serve(home: Home, port: int) -> None:
    """Show the pages of a home in a browser: what acting was worth, each issue's time line, product, labels.

    Read-only, and on this machine only (127.0.0.1). The same pages are files under HOME/reports. Ends with Ctrl+C.
    """
    from dagster_project.service.pages import HOST
    from dagster_project.service.pages import serve as bind

    with bind(home, port) as server:
        click.echo(f"http://{HOST}:{server.server_address[1]}/  (Ctrl+C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")


COMMANDS = (serve,)
