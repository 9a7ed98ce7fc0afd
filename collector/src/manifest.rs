//! Reads kinds from YAML files, with positions, and watches a folder of them.
