#!/usr/bin/env python3
"""Writes the protocol's message structs and their codecs from schema/*.schema.

usage: generate.py SCHEMA_DIR OUT_DIR [--list]

OUT_DIR/protocol/messages/<message>.h   one struct a message
OUT_DIR/protocol/api_key.h              enum class ApiKey
OUT_DIR/protocol/messages_hot.cc        codecs and field tables of what every produce and fetch uses
OUT_DIR/protocol/messages_<n>.cc        those of the rest, built for size: half the time to compile
OUT_DIR/protocol/registry.cc            the list of all messages and the table of apis
With --list the names of these files are printed instead. Files that would not change stay as they
are.
The grammar of the schemas stands in protocol/README.md.
"""
import os
import sys

from generator.schema import SchemaError, read_schemas, snake
from generator.emit_header import api_key_header, message_header
from generator.emit_source import message_source, registry_source, SOURCE_HEAD, SOURCE_TAIL

SOURCES = 5
HOT_SCHEMAS = ("data", "headers")


def split_evenly(messages):
    """The messages of each source file, by the end of its name: about as many fields in each."""
    hot = [m for m in messages if m.schema in HOT_SCHEMAS]
    messages = [m for m in messages if m.schema not in HOT_SCHEMAS]
    bins = [[] for _ in range(SOURCES)]
    loads = [0] * SOURCES
    for message in sorted(messages, key=lambda m: -m.weight()):
        lightest = loads.index(min(loads))
        bins[lightest].append(message)
        loads[lightest] += message.weight()
    return {"hot": hot} | {index: sorted(b, key=lambda m: m.name) for index, b in enumerate(bins)}


def generate(schema_dir):
    messages, apis = read_schemas(schema_dir)
    files = {"protocol/api_key.h": api_key_header(apis)}
    for message in messages:
        files[f"protocol/messages/{snake(message.name)}.h"] = message_header(message)
    for index, part in split_evenly(messages).items():
        includes = "".join(f'#include "protocol/messages/{snake(m.name)}.h"\n' for m in part)
        body = "".join(message_source(m) for m in part)
        source = SOURCE_HEAD.format(includes=includes) + body + SOURCE_TAIL
        files[f"protocol/messages_{index}.cc"] = source
    files["protocol/registry.cc"] = registry_source(messages, apis)
    return files


def write_if_changed(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        with open(path, encoding="utf-8") as f:
            if f.read() == text:
                return
    except FileNotFoundError:
        pass
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def main(argv):
    schema_dir, out_dir = argv[1], argv[2]
    try:
        files = generate(schema_dir)
    except SchemaError as error:
        print(error, file=sys.stderr)
        return 1
    if "--list" in argv[3:]:
        print(";".join(f"{out_dir}/{name}" for name in sorted(files)), end="")
        return 0
    for name, text in files.items():
        write_if_changed(os.path.join(out_dir, name), text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
