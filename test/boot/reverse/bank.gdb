break wrong
continue
print bank[5]
watch -l bank[5].balance
reverse-continue
backtrace
delete
reverse-finish
print name
monitor when
