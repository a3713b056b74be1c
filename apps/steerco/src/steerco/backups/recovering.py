"""What an earlier restore left that was cut off is ended before anything else: undone, or brought to its end."""

from collections.abc import Mapping

from steerco.backups.aside import ASIDE, REPLACED, Aside
from steerco.backups.manifest import BackupFailed
from steerco_servers.child import Progress


async def end_what_was_cut_off(urls: Mapping[str, str], progress: Progress) -> None:
    """Have these databases as before, or as after, any restore that did not come to its end.

    One that had let somebody in already had filled all its databases: it is brought to its end. Nobody was let in by
    any other, so nothing was written since that undoing it could lose. Raises `BackupFailed`.
    """
    databases = [Aside(name, url) for name, url in urls.items()]
    begun = [(each, mark) for each in databases if (mark := await each.mark(ASIDE))]
    ended = [(each, mark) for each in databases if (mark := await each.mark(REPLACED))]
    for _, mark in begun:
        if missing := mark.names - urls.keys():
            raise BackupFailed(
                f"a restore of {', '.join(sorted(mark.names))} was cut off; what becomes of it can't be told"
                f" without {', '.join(sorted(missing))}: say where that is"
            )
    filled = {mark.run for _, mark in ended}
    for each, mark in begun:
        if mark.run in filled:
            progress(f"ending the restore of {each.name} that was cut off")
            await each.settle()
        else:
            progress(f"undoing the restore of {each.name} that was cut off")
            await each.undo()
    for each in databases:
        if await each.mark(REPLACED):
            await each.clear()
