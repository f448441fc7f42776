#!/bin/sh
# The first process of the laboratory's machine. The host's files are its root, read-only: only /run can be written,
# and it is gone when the machine halts. LAB_PROGRAMS, the directory of the programs, comes from the kernel's command line.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ulimit -n 65536
mkdir -p /run/modules/lib
ln -s /usr/lib/uml/modules /run/modules/lib/modules
modprobe -d /run/modules -a ip_vs ip_vs_rr ip_vs_wrr veth bridge
"$LAB_PROGRAMS/guest"
# Not reached unless the program died before it could halt the machine: with panic=-1 the end of this script halts it.
