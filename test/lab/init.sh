#!/bin/sh
# The first process of the laboratory's machine. Its root is the host's file system, read-only. Only /run can be written,
# and is lost when the machine halts. The kernel's command line sets LAB_PROGRAMS, the directory of the programs.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
ulimit -n 65536
mkdir -p /run/modules/lib
ln -s /usr/lib/uml/modules /run/modules/lib/modules
modprobe -d /run/modules -a ip_vs ip_vs_rr ip_vs_wrr veth bridge
"$LAB_PROGRAMS/guest"
# Reached only if the program died before it halted the machine. With panic=-1 the end of this script halts it.
