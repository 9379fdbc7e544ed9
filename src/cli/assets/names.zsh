    # The names that the running server has, and what is below where it has none.
    local -a names
    names=(${(f)"$("$words[1]" complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)"})
    if (( $#names )); then
        compadd -- "${(@)names%%$'\t'*}"
        return
    fi
