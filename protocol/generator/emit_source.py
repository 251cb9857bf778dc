SOURCE_HEAD="{includes}"
SOURCE_TAIL=""
def message_source(m): return ""
def registry_source(m,a): return ""
