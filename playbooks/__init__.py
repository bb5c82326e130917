"""Contingency plans as data: one YAML file a playbook, and the JSON Schema they keep.

What lives here: files only. They are read by ``sentinel.playbook_files`` and described in
``docs/playbooks.md``. A directory of your own overrides these by id and adds to them.
"""
