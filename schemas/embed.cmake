# Writes OUTPUT, a C file that holds every file of FILES byte for byte in the list ARRAY.
set(code "#include \"base/embedded.h\"\n\nextern const struct embedded_file ${ARRAY}[];\nconst struct embedded_file ${ARRAY}[] = {\n")
foreach(file ${FILES})
    get_filename_component(name ${file} NAME)
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "\\\\x\\1" bytes "${hex}")
    # Lines of 16 bytes: the compiler joins the literals.
    set(byte "\\\\x..")
    string(REPEAT "${byte}" 16 line)
    string(REGEX REPLACE "(${line})" "\\1\"\n     \"" bytes "${bytes}")
    string(APPEND code "    {\"${name}\",\n     \"${bytes}\"},\n")
endforeach()
file(WRITE ${OUTPUT} "${code}    {0, 0},\n};\n")
