"""Run the registry: `python -m registry_app`, with its settings in the environment."""

from registry_app.service import RegistryService
from registry_app.settings import RegistrySettings
from shared.node.process import run_service

if __name__ == "__main__":
    run_service(RegistrySettings, RegistryService)
