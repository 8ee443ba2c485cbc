# Debian packages, as COMMAND=PACKAGE.
RUN_PACKAGES=(
  dockerd=docker.io ip=iproute2 nft=nftables iptables=iptables nsenter=util-linux setpriv=util-linux
  mkfs.ext4=e2fsprogs losetup=mount
  /usr/share/doc/libnss-myhostname=libnss-myhostname
)
TEST_PACKAGES=(
  etcd=etcd-server etcdctl=etcd-client docker-registry=docker-registry skopeo=skopeo dig=dnsutils
  conntrack=conntrack busybox=busybox-static curl=curl ps=procps chromium=chromium
)
BENCH_PACKAGES=(unbound=unbound dnsperf=dnsperf wrk=wrk nginx=nginx-light caddy=caddy)
