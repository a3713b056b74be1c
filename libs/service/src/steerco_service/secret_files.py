"""Secrets that a process is told by files instead of its environment, which others may see."""

from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource


class SecretFiles(EnvSettingsSource):
    """For each setting that is not shown, `STEERCO_<NAME>_FILE` may name the file that holds it."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file, without the spaces around it; `None` if there is none.

        Raises `ValueError`, which names the variable.
        """
        file: str | None = None
        if not field.repr and field.validation_alias is None:
            file, *_ = super().get_field_value(field, f"{field_name}_file")
        if not file:
            return None, field_name, False
        variable = f"{self.env_prefix}{field_name}".upper()
        told, *_ = super().get_field_value(field, field_name)
        if told:
            raise ValueError(f"{variable}_FILE (and {variable} is set, too)")
        try:
            return Path(file).read_text().strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"{variable}_FILE ({file} can't be read: {why})") from None


class SecretSettings(BaseSettings):
    """Settings some of which are secrets: those that are not shown (`repr=False`)."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Called by pydantic: what the code says, the environment, and files with secrets."""
        return named["init_settings"], named["env_settings"], SecretFiles(settings_cls)
