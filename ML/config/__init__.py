"""The settings of the project. Others use: `config` (`settings`, `Settings`, `ROOT`)."""
