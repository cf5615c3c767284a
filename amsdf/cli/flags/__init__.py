"""What may follow `amsdf`: flags, help, and what flags mean."""

from amsdf.cli.flags.parser import build_parser as build_parser
from amsdf.cli.flags.parser import parser_of as parser_of
