"""The command line: `haven demo | try | scan | run | doctor | advice | config | forget | backup | …`."""

from __future__ import annotations

import errno
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import NoReturn

import click

from classifiers.errors import InputError

_SENSITIVITIES = ("low", "normal", "high")
_FORMATS = ("auto", "transcript", "discord", "telegram", "whatsapp")
_PATH = click.Path(readable=False, path_type=Path)
_config = click.option(
    "--config",
    "config_file",
    type=_PATH,
    help="Settings file (default: haven.toml, if there).",
)


class _Commands(click.Group):
    """Commands whose bad input ends with one line on standard error and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except InputError as error:
            _refuse(ctx, str(error))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            _refuse(ctx, f"{error.filename or 'output'}: {error.strerror}")


def _refuse(ctx: click.Context, why: str) -> NoReturn:
    from bot.platforms.console import visible

    click.echo(f"haven: {visible(why)}", err=True)
    ctx.exit(1)


def _printable(argument: str) -> str:
    """Replace what the command line held that is no text."""
    return argument.encode("utf-8", "replace").decode()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="haven")
def main() -> None:
    """Haven notices sextortion in chat, privately helps the person targeted and alerts the moderators."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


@main.command()
@click.option("--pace", type=click.FloatRange(0, 60), help="Seconds between messages (default: 0.6 on a terminal).")
@click.option(
    "--database", type=click.Path(dir_okay=False, readable=False, path_type=Path), help="Keep the SQLite file here."
)
def demo(pace: float | None, database: Path | None) -> None:
    """Play a bundled story. It goes through the real guard, database and delivery."""
    from bot.demo import play

    watched = sys.stdout is not None and sys.stdout.isatty()
    play(pace=(0.6 if watched else 0.0) if pace is None else pace, database=database)


@main.command(name="try")
def try_() -> None:
    """Type as several people and see what Haven would do. Write "alice> hello @bob"; nothing is kept."""
    from bot.live import rehearse

    rehearse()


@main.command()
@_config
def run(config_file: Path | None) -> None:
    """Protect your communities on Discord and Telegram.

    HAVEN_DISCORD_TOKEN or, in the settings, [discord] token_file starts Discord, HAVEN_TELEGRAM_TOKEN or [telegram]
    token_file Telegram; without any token Haven reads the console, lines "name> text" from standard input.
    """
    from bot.live import run as run_console

    run_console(config_file, os.environ)


@main.command()
@_config
def doctor(config_file: Path | None) -> None:
    """Check as "config check" does, then look at each platform. It says what is to mend."""
    from bot.checks import checks, online

    for line in checks(config_file, os.environ):
        click.echo(line)
    found = online(config_file, os.environ)
    for line, _ in found:
        click.echo(line)
    if not all(fine for _, fine in found):
        sys.exit(1)


@main.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=_PATH)
@click.option("--format", "format", type=click.Choice(_FORMATS), default="auto", show_default=True)
@click.option("--sensitivity", type=click.Choice(_SENSITIVITIES), help="Default: as in the settings, else normal.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a conversation; messages count from 0 there.")
@_config
def scan(
    paths: tuple[Path, ...],
    format: str,
    sensitivity: str | None,
    as_json: bool,
    config_file: Path | None,
) -> None:
    """Read chat exports and show what Haven would have done.

    PATH is a file, a folder with files, or - for standard input.
    """
    from bot.app import open_classifier
    from bot.config import load_config
    from bot.report import scan_all

    config, folder = load_config(config_file)
    sensitivity = sensitivity or config.policy.sensitivity
    if not scan_all(paths, format, sensitivity, open_classifier(config, folder), as_json=as_json):
        sys.exit(1)


@main.command()
@click.argument("page", type=click.Choice(("warning", "help", "moderators")), default="help")
@click.option("--locale", default="en-GB", show_default=True)
@click.option("--disclosure", is_flag=True, help="Warning, moderators: of somebody who told of it.")
@click.option("--crisis", is_flag=True, help="Warning, moderators: as when despair was seen.")
def advice(page: str, locale: str, disclosure: bool, crisis: bool) -> None:
    """Print the warning, the help or the guidance that Haven gives."""
    from bot import advice as texts
    from classifiers.assessment import Kind

    kind = Kind.DISCLOSURE if disclosure else Kind.THREAT
    if page == "help" and (disclosure or crisis):
        raise click.UsageError(
            "the help is the same for everybody: name warning or moderators, or leave out the option"
        )
    if page == "help":
        shown = texts.help_page(locale)
    else:
        shown = (texts.warning if page == "warning" else texts.guidance)(locale, kind=kind, crisis=crisis)
    click.echo(shown.plain())


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command()
@_config
def check(config_file: Path | None) -> None:
    """Check settings, secrets, model and database; change nothing."""
    from bot.checks import checks

    for line in checks(config_file, os.environ):
        click.echo(line)


@config.command()
def example() -> None:
    """Print the settings file with every default. Copy it to haven.toml."""
    from bot.config import example as text

    click.echo(text(), nl=False)


@main.command(context_settings={"ignore_unknown_options": True})  # the id of a channel begins with a minus
@click.argument("platform")
@click.argument("id")
@_config
def forget(platform: str, id: str, config_file: Path | None) -> None:
    """Erase everything about an account from the database.

    PLATFORM is console, discord or telegram. ID is the number of the account there; on the console, its name.
    """
    from bot.platforms.console import visible
    from bot.upkeep import forget as erase
    from bot.upkeep import left_over

    erased = erase(config_file, os.environ, _printable(platform), _printable(id))
    if erased is None:
        click.echo(visible(f"nothing was kept about {_printable(id)} on {platform}"))
    else:
        click.echo(f"erased; cases about this account or aimed at it: {erased}")
    for file, origin in left_over(config_file):
        click.echo(visible(f"{file}: {origin}, and not changed by this: delete it"))


@main.command()
@click.argument("file", type=_PATH)
@_config
def verify(file: Path, config_file: Path | None) -> None:
    """Say whether a file of /evidence is unchanged. It has to be sealed with a key of this Haven."""
    from bot.platforms.console import visible
    from bot.upkeep import vouched

    click.echo(visible(f"{file}: unchanged, and sealed with {vouched(config_file, os.environ, file)}"))


@main.command()
@click.argument("file", type=_PATH)
@_config
def backup(file: Path, config_file: Path | None) -> None:
    """Copy the database to a new file, also while Haven runs. It is as sealed, and the key is not in it."""
    from bot.platforms.console import visible
    from bot.upkeep import take_backup

    take_backup(config_file, os.environ, file)
    click.echo(visible(f"{file}: a whole copy of the database; keep the key elsewhere"))


@main.command()
@click.argument("file", type=_PATH)
@_config
def restore(file: Path, config_file: Path | None) -> None:
    """Put a backup in the place of the database. What was there stays beside it; Haven must not run."""
    from bot.platforms.console import visible
    from bot.upkeep import put_back

    kept = put_back(config_file, os.environ, file)
    if kept:
        click.echo(visible(f"restored from {file}; the database from before is {kept}"))
        click.echo("it keeps what is erased from now on: delete it once all is well")
    else:
        click.echo(visible(f"restored from {file}; there was no database before"))


@main.group()
def key() -> None:
    """Look after the encryption key."""


@key.command()
@_config
def rotate(config_file: Path | None) -> None:
    """Encrypt everything with a new key; Haven must not run.

    A key in a file gives way to a new one there. Where HAVEN_KEY holds the key, HAVEN_NEW_KEY has to hold the new one.
    """
    from bot.platforms.console import visible
    from bot.upkeep import rotate_key

    click.echo(visible(f"everything is encrypted with a new key: {rotate_key(config_file, os.environ)}"))
    click.echo("backups of before open with the key of their time only: make a new one")


_FOLDER = click.Path(file_okay=False, readable=False, path_type=Path)
_CARD = click.Path(dir_okay=False, readable=False, path_type=Path)


@main.command()
@click.option("--data", type=_PATH, default=Path("data/corpus"), show_default=True)
@click.option("--out", type=_FOLDER, default=Path("models"), show_default=True)
@click.option("--card", type=_CARD, help="Also write to this model card how writers fared that were held out.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes (default: one per core).")
def train(data: Path, out: Path, card: Path | None, jobs: int | None) -> None:
    """Train the model from the corpus and write it with its manifest."""
    from bot.study import train as run_training

    run_training(data, out, card, jobs)


@main.command()
@click.option("--data", type=_PATH, default=Path("data/test"), show_default=True, help="Folder of the test writers.")
@click.option("--on", "files", type=_PATH, multiple=True, help="Labelled transcripts of your own instead; repeatable.")
@click.option("--real", type=_PATH, help="Folder of real chat (transcripts) for false alerts.")
@click.option("--card", type=_CARD, help="Write tables, plots and report.json to this model card and beside it.")
@click.option("--learn", type=_PATH, help="Corpus for a plot of what more writers teach; with --card.")
def evaluate(data: Path, files: tuple[Path, ...], real: Path | None, card: Path | None, learn: Path | None) -> None:
    """Score the model on writers that it has never seen. With --real it counts false alerts in real chat."""
    if learn and not card:
        raise click.UsageError("--learn draws a plot beside a model card: name one with --card")
    from bot.study import evaluate as run_evaluation

    run_evaluation(data, files, real, card, learn)


@main.command()
@click.option("--data", type=_PATH, default=Path("data/corpus"), show_default=True, help="Corpus with sextortion.")
@click.option("--real", type=_PATH, help="Folder of real chat (transcripts) in place of the corpus' ordinary chat.")
@click.option("--rows", type=click.IntRange(min=1), help="Most rows in the database (default: a million).")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--card", type=_CARD, help="Also write the tables to this page, between the marks of this command.")
@click.option("--plots", type=_FOLDER, help="Draw cost against conversations and message length (SVG) in this folder.")
@click.option("--quick", is_flag=True, help="A run of some seconds: everything is tried, no number means anything.")
def bench(
    data: Path, real: Path | None, rows: int | None, as_json: bool, card: Path | None, plots: Path | None, quick: bool
) -> None:
    """Measure how fast Haven reads chat here. Plain alternatives stand beside it, and what memory it takes."""
    from bot.bench.command import bench as run_bench
    from bot.bench.sizes import QUICK, Size

    size = (QUICK if quick else Size()).with_rows(rows)
    run_bench(data, real, size=size, as_json=as_json, card=card, pictures=plots)
