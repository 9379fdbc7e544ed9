
# The names that the running server has.
complete -c answerd -a '(answerd complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
