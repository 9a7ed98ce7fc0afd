# The images of Weir: a static program, the certificates of public authorities, nothing else. `make images` builds the
# programs first and calls this with the folder that holds them:
#
#   docker build --target weir --tag weir:0.1.0 --file Dockerfile FOLDER

FROM scratch AS weir
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY weir /weir
USER 65532:65532
ENTRYPOINT ["/weir"]

FROM scratch AS weir-operator
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY weir-operator /weir-operator
USER 65532:65532
ENTRYPOINT ["/weir-operator"]

# For `helm test` alone.
FROM scratch AS flow-generator
COPY flow-generator /flow-generator
USER 65532:65532
ENTRYPOINT ["/flow-generator"]
