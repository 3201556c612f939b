# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of `seamtls` for bash. Commands and options are those that the command itself tells, so that there is one list of them.

# Words that the command's help has in the form of a pattern.
_seamtls_help() { # pattern command [argument...]
	"${@:2}" --help 2>/dev/null </dev/null | grep -oE "$1" | tr -d ' ,[' | sort -u
}

_seamtls_reply() { # compgen's arguments
	local reply
	while IFS= read -r reply; do
		COMPREPLY+=("$reply")
	done < <(compgen "$@" -- "$cur")
}

_seamtls_files() { # suffix
	local path
	compopt -o filenames 2>/dev/null
	while IFS= read -r path; do
		if [[ -d $path || $path == *"$1" ]]; then
			COMPREPLY+=("$path")
		fi
	done < <(compgen -f -- "$cur")
}

# A file, or the name of one where seamtls looks for names.
_seamtls_policies() {
	local path name
	_seamtls_files .conf
	[[ $cur != */* ]] || return
	for path in "${XDG_CONFIG_HOME:-$HOME/.config}"/seamtls/*.conf /etc/seamtls/*.conf; do
		name=${path##*/}
		name=${name%.conf}
		if [[ -f $path && $name == "$cur"* ]]; then
			COMPREPLY+=("$name")
		fi
	done
}

_seamtls_list() { # words...: the last item of a list with commas
	local done='' words="$*"
	[[ $cur != *,* ]] || done=${cur%,*},
	cur=${cur##*,}
	compopt -o nospace 2>/dev/null
	_seamtls_reply -P "$done" -W "$words"
}

# The values of an option; fails if it has none, so that what follows it is an argument.
_seamtls_value() { # command option
	case $2 in
	-p | --policy) _seamtls_policies ;;
	-d | --directory) _seamtls_reply -d && compopt -o filenames 2>/dev/null ;;
	--direction) _seamtls_reply -W 'inbound outbound' ;;
	--event) _seamtls_list open fail close pass deny observe policy lost ;;
	--protocol) _seamtls_list tls ssh clear none unknown ;;
	--cause) _seamtls_list $("${COMP_WORDS[0]}" log --cause=? 2>&1 | sed -n 's/.*allowed: //p' | tr -d ,) ;;
	--format)
		case $1 in
		explain) _seamtls_reply -W 'table json' ;;
		log) _seamtls_reply -W 'table json csv otlp-json' ;;
		stat) _seamtls_reply -W 'table json csv prometheus' ;;
		*) _seamtls_reply -W 'table json csv' ;;
		esac
		;;
	--host) _seamtls_reply -A hostname ;;
	--user) _seamtls_reply -u ;;
	--sort) _seamtls_reply -W 'age bytes pid program remote rule' ;;
	--state) _seamtls_reply -W 'protected clear' ;;
	--stage) _seamtls_reply -W 'permissive enforce' ;;
	--ca | --cert | --key | --program | --cursor-file) _seamtls_files '' ;;
	-l | --label | --local | --remote | --since | --until | --application | --rule | --peer | --top | --days) ;;
	*) return 1 ;;
	esac
	return 0
}

_seamtls_options() { # seamtls command
	_seamtls_help '(^|[ ,[])--?[a-z]+(-[a-z]+)*' "$1" "$2"
	echo --help
	case $2 in
	stat | ps | report | suggest) printf '%s\n' --since --until --event --cause --protocol --application --rule --program --peer --direction ;; # those of log
	esac
}

_seamtls_argument() { # seamtls command
	case $2 in
	run | doctor) if [[ $cur == */* ]]; then _seamtls_files ''; else _seamtls_reply -c; fi ;;
	check) _seamtls_policies ;;
	policy) _seamtls_reply -W default ;;
	help) _seamtls_reply -W "$(_seamtls_help '^  [a-z]+' "$1")" ;;
	log | stat | ps | suggest) _seamtls_files .audit ;;
	report) _seamtls_files '' ;;
	esac
}

# Prints where the program of `seamtls run` stands; fails if it is yet to come.
_seamtls_program() {
	local i
	for ((i = 2; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--)
			((++i < COMP_CWORD)) || return
			echo "$i"
			return
			;;
		-p | -l) i=$((i + 1)) ;;
		--policy | --label)
			[[ ${COMP_WORDS[i + 1]} != = ]] || i=$((i + 1))
			i=$((i + 1))
			;;
		-*) ;;
		*)
			echo "$i"
			return
			;;
		esac
	done
	return 1
}

# What stands behind the program is its own.
_seamtls_behind() { # number of the program's word
	if declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	else
		_seamtls_files ''
	fi
}

_seamtls() {
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} program
	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		_seamtls_reply -W "$(_seamtls_help '^  [a-z]+' "$1") --help --version"
		return
	fi
	# '=' is a word of its own.
	if [[ $cur == = ]]; then
		cur=''
	elif [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [[ $command == run ]] && program=$(_seamtls_program); then
		_seamtls_behind "$program"
		return
	fi
	_seamtls_value "$command" "$previous" && return
	if [[ $cur == -* ]]; then
		_seamtls_reply -W "$(_seamtls_options "$1" "$command")"
	else
		_seamtls_argument "$1" "$command"
	fi
}

complete -F _seamtls seamtls
