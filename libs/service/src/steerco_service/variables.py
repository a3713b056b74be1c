"""The names of the environment variables by which a process is told."""

from pydantic_settings import BaseSettings


def variable_of(settings: type[BaseSettings], name: str) -> str:
    """The environment variable of a setting, by its name or by the variable itself."""
    field = settings.model_fields.get(name)
    if field is None:
        return name if name.isupper() else f"STEERCO_{name.upper()}"
    return field.validation_alias if isinstance(field.validation_alias, str) else f"STEERCO_{name.upper()}"
